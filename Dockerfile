# The packages are installed in a stage of their own, so that the image keeps neither pip's cache nor
# what pip needs.
FROM python:3.13-slim AS packages
RUN python -m venv /venv
COPY requirements.txt /
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /requirements.txt \
    && /venv/bin/pip uninstall --yes pip

FROM python:3.13-slim
# By number, so that Kubernetes can tell that it is not root. Any other number will do as well: OpenShift
# gives one of its own, with group 0.
RUN useradd --system --uid 10001 --gid 0 --no-create-home --shell /usr/sbin/nologin gateway
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# SQLite's file, for who runs this image alone; everything else in it belongs to root, and may be
# read-only (docker run --read-only --tmpfs /tmp).
RUN install -d -o 10001 -g 0 -m 0770 /app/var
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py"]
