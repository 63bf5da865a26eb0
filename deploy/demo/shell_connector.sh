#!/bin/sh
# A connector in shell: copies the lines of a file, and tells of it through the runfold command.
#
#   runfold exec --connector copy-lines -- deploy/demo/shell_connector.sh FROM TO
#
# Without `runfold exec` around it, it does the same work and tells nobody.
set -eu
from=$1
to=$2

# What cannot be told must not stop the work.
tell() { [ -z "${RUNFOLD_INTAKE_URL:-}" ] || runfold "$@" || true; }

tell emit step-started --step copy
if ! cp "$from" "$to"; then
  tell log --level error --step copy "cannot copy $from to $to"
  tell emit step-failed --step copy --error "cannot copy $from"
  exit 3
fi
lines=$(wc -l <"$to" | tr -d ' ')
tell log --step copy --detail "{\"lines\": $lines}" "copied $lines lines"
tell emit step-completed --step copy --entities "$lines"
