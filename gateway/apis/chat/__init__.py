"""OpenAI's chat completions in four formats: `phased`, `events`, `openai` and `plain`."""
