# The function as Lambda runs it. Lambda refuses manifests with provenance, so build with `--provenance=false` (make image).
FROM public.ecr.aws/lambda/python:3.13

# Lambda has no /dev/shm, which joblib would look for; and one row is slower with more threads.
ENV JOBLIB_MULTIPROCESSING=0 \
    OMP_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1

# Packages first: a change of code leaves this layer, by far the largest, as it is. Their own tests are a sixth of it.
COPY requirements.txt /tmp/
RUN python -m pip install --no-cache-dir --no-compile --only-binary :all: --no-deps --require-hashes \
        --target "${LAMBDA_TASK_ROOT}" -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt \
 && find "${LAMBDA_TASK_ROOT}" -type d -name tests -prune -exec rm -rf {} + \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash "${LAMBDA_TASK_ROOT}"

COPY model ${LAMBDA_TASK_ROOT}/model
COPY sql ${LAMBDA_TASK_ROOT}/sql
COPY events ${LAMBDA_TASK_ROOT}/events
COPY riskscore ${LAMBDA_TASK_ROOT}/riskscore
COPY lambda_function.py ${LAMBDA_TASK_ROOT}/

# The build fails unless every model loads and scores on both engines, as an image that cannot score is none.
# Only the code's modes are opened (Lambda runs as another user): touching the packages would store them twice.
RUN chmod -R a+rX model sql events riskscore lambda_function.py \
 && python -m compileall -q --invalidation-mode unchecked-hash riskscore lambda_function.py \
 && python -m riskscore.selfcheck

# Lambda takes no notice of it. Under the emulator the port alone: an invocation by a probe could meet one by a person, and
# the emulator takes one at a time.
HEALTHCHECK --interval=5s --timeout=5s --retries=5 \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), 2).close()"]

CMD ["lambda_function.lambda_handler"]
