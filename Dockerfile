# docker build -t mclstexp . && docker run --rm -v $PWD:/data mclstexp predict runs/mine slides/ --out predictions
# With a GPU: docker run --gpus all …
FROM python:3.11-slim
RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md ./
COPY src src
RUN uv pip install --system --no-cache --constraint constraints.txt '.[analysis,spatialdata]'
WORKDIR /data
ENV MCLSTEXP_CACHE=/data/.mclstexp-cache
ENTRYPOINT ["mclstexp"]
