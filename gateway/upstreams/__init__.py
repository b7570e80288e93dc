"""Model servers that speak OpenAI's `/chat/completions`: what is sent to them, and how what they
stream is read, in whichever of its shapes. No I/O.
"""
