docker run -d -p 3000:8080 --add-host host.docker.internal:host-gateway \
  -e OPENAI_API_BASE_URL=http://host.docker.internal:8080/openai/v1 \
  -e OPENAI_API_KEY=unused -e WEBUI_AUTH=False \
  -e 'DEFAULT_INTERFACE_SETTINGS={"expandDetails": true}' \
  ghcr.io/open-webui/open-webui:main
