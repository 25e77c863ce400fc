# The greeting as an image. It holds no secret: what it needs comes from the container's
# environment, SECRET_KEY and ALLOWED_HOSTS at least. compose.yaml runs it with Vault and Flipt.

# One interpreter for both stages: a virtualenv runs on the one that it was made with.
FROM python:3.13.16-slim-bookworm AS base

# Logs appear at once; nothing is written beside the code, which may be on a read-only disk; a
# crash in native code (granian's, the flag engine's) tells where in Python it happened.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1


FROM base AS builder

# Without pip: what installs packages stays in this stage.
RUN python -m venv --without-pip /venv

# The dependencies come first, as a layer that lasts until one of them changes. Without --no-deps
# a package that constraints.txt forgot would come in whichever version is the newest that day.
WORKDIR /build
COPY constraints.txt ./
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps --requirement constraints.txt

COPY LICENSE README.md pyproject.toml ./
COPY resident resident
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps . \
    && pip --python /venv/bin/python check

WORKDIR /app
COPY manage.py ./
COPY greeting greeting
COPY project project

# The key is for this one command: settings without DEBUG insist on one, and nothing is signed.
# `chmod` is for those whose umask keeps their files from others: here, from the user who serves.
RUN SECRET_KEY=signs-nothing /venv/bin/python manage.py collectstatic --no-input \
    && /venv/bin/python -m compileall -q . \
    && chmod -R a+rX .


FROM base

# /data is for the SQLite database and the last known flags, and all that this user may write to. An empty volume that is
# mounted there takes over its owner.
RUN groupadd --gid 10001 resident \
    && useradd --uid 10001 --gid resident --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin resident \
    && install --directory --owner=resident --group=resident --mode=0700 /data

# DEBUG is off even where SECRET_KEY is forgotten, which is then an error and not a developer's
# machine that the whole network reaches.
ENV PATH=/venv/bin:$PATH \
    DATABASE_URL=sqlite:////data/db.sqlite3 \
    FLIPT_LAST_KNOWN=/data/flags \
    DEBUG=off

WORKDIR /app
COPY --from=builder /venv /venv
COPY --from=builder /app /app

# As numbers, because Kubernetes' runAsNonRoot can't look up a name.
USER 10001:10001

EXPOSE 8080

# There is no curl in here, and urllib would ask a proxy. Django answers only to a Host that
# ALLOWED_HOSTS has, so it asks for the first of them.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os; host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip(' *.') or 'localhost'; web = http.client.HTTPConnection('127.0.0.1', 8080, timeout=4); web.request('GET', '/health/ready', headers={'Host': host}); raise SystemExit(web.getresponse().status != 200)"]

# --workers 2: one goes on answering while the other one starts anew or hangs.
# --blocking-threads 4: requests that a worker serves at a time, and so its connections to the
#   database; granian's own default goes up to 512.
# --workers-kill-timeout 30: on SIGTERM requests are answered to their end, but not for ever; and a
#   worker that still starts misses the signal.
# A worker that dies ends the server, and the container's restart policy starts a fresh one.
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8080", "--workers", "2", "--blocking-threads", "4", "--workers-kill-timeout", "30", "project.wsgi:application"]
