# The gateway. The mock model server runs from the same image:
#   docker run IMAGE python mock_upstream.py --host 0.0.0.0
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8080

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY gateway ./gateway
COPY wsgi.py gunicorn.conf.py mock_upstream.py client.py ./
# The gateway's user can't write here, so bytecode is written now.
RUN python -m compileall -q .

RUN useradd --system --no-create-home gateway
USER gateway

EXPOSE 8080
# SIGTERM lets open streams end: give the container DRAIN_TIMEOUT_S and some seconds to stop.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD python client.py --health --url "http://127.0.0.1:$PORT"
CMD ["python", "-m", "gateway"]
