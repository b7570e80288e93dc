cat >> "$(dirname "$(llm logs path)")/extra-openai-models.yaml" <<'END'
- model_id: gateway
  model_name: default
  api_base: http://127.0.0.1:8080/v1
  responses: true
  reasoning: true
END
llm -m gateway 'hi'
