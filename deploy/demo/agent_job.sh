#!/bin/sh
# A job in shell that registers at a runfold agent, with nothing but curl: counts the lines of a file, and tells of it.
#
#   RUNFOLD_AGENT_URL=http://127.0.0.1:8731 RUNFOLD_AGENT_TOKEN=... deploy/demo/agent_job.sh FILE
#
# With no agent, or one that does not answer, it does the same work and tells nobody.
set -eu
file=$1

# curl_as TOKEN ARGUMENT...: the token goes by stdin, for every user of a host can read what programs' arguments are.
curl_as() {
  token=$1
  shift
  printf 'header = "Authorization: Bearer %s"' "$token" | curl -K - -fsS --noproxy '*' --max-time 5 "$@"
}

# The agent sees this process ($$): while it lives the run has heartbeats, and should it die, the run is an error.
register() {
  curl_as "$RUNFOLD_AGENT_TOKEN" -H 'Accept: text/plain' \
    -d "{\"connector\": \"count-lines\", \"os_pid\": $$}" "$RUNFOLD_AGENT_URL/v1/jobs"
}
[ -z "${RUNFOLD_AGENT_URL:-}" ] || eval "$(register || true)"

# tell PATH BODY: what cannot be told must not stop the work.
tell() {
  [ -n "${RUNFOLD_INTAKE_URL:-}" ] || return 0
  curl_as "$RUNFOLD_INTAKE_TOKEN" -o /dev/null -d "$2" "$RUNFOLD_INTAKE_URL$1" || true
}

tell /v1/events '{"step_started": {"step_id": "count"}}'
if ! lines=$(wc -l <"$file"); then
  tell /v1/job/log '{"level": "error", "step": "count", "message": "cannot read the file"}'
  tell /v1/events '[{"step_failed": {"step_id": "count", "error": "cannot read the file"}},
                    {"completed": {"result": "RUN_RESULT_FAILURE", "exit_code": 3, "error": "cannot read the file"}}]'
  exit 3
fi
lines=$((lines)) # some pad it with blanks
echo "$lines"
tell /v1/job/log "{\"level\": \"info\", \"step\": \"count\", \"message\": \"counted $lines lines\", \"detail\": {\"lines\": $lines}}"
tell /v1/events "[{\"step_completed\": {\"step_id\": \"count\", \"entities\": $lines}},
                  {\"completed\": {\"result\": \"RUN_RESULT_SUCCESS\", \"exit_code\": 0}}]"
