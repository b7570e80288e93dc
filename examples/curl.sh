curl -N http://127.0.0.1:8080/openai/v1/chat/completions -H 'Content-Type: application/json' \
  -d '{"model": "default", "messages": [{"role": "user", "content": "hi"}], "stream": true}'
