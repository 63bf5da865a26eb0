# Runs the phases of quickstart and check: two lines a phase, a progress line while it lasts. Sourced, not run.

run_folder=${RUNFOLD_RUN_FOLDER:-$top/.run}
mkdir -p "$run_folder"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' red='' plain=''; fi

# "3 min 12 s" of seconds.
duration() {
  if [ "$1" -ge 60 ]; then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

# The last line of a log, cut to fit.
last_line() {
  tail -c 2000 "$1" 2>/dev/null | tr '\r' '\n' | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c "1-${2:-90}"
}

# phase NAME WHAT COMMAND...: says what is done, does it with its output in .run/NAME.log, says how long it took.
# A phase that fails shows the end of its log and ends the script with its status.
phase() {
  local name=$1 what=$2 log=$run_folder/$1.log started=$SECONDS pid status=0 said=0
  shift 2
  printf '%s==>%s %s\n' "$bold" "$plain" "$what"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  phase_pid=$pid
  while kill -0 "$pid" 2>/dev/null; do
    if [ -t 1 ]; then
      printf '\r\e[K    %s%s  %s%s' "$dim" "$(duration $((SECONDS - started)))" "$(last_line "$log" $((${COLUMNS:-100} - 20)))" "$plain"
    elif [ $((SECONDS - started)) -ge $((said + 30)) ]; then
      said=$((SECONDS - started))
      printf '    %s  %s\n' "$(duration $said)" "$(last_line "$log")"
    fi
    # Ends with the command, or after a second to show progress.
    timeout 1 tail --pid="$pid" -s 0.1 -f /dev/null || true
  done
  wait "$pid" || status=$?
  phase_pid=
  [ -t 1 ] && printf '\r\e[K'
  if [ $status -ne 0 ]; then
    printf '    %sfailed%s (exit %d) after %s; the end of %s:\n' "$red" "$plain" $status "$(duration $((SECONDS - started)))" "$log" >&2
    tail -n "${PHASE_TAIL:-60}" "$log" >&2
    return $status
  fi
  printf '    done in %s\n' "$(duration $((SECONDS - started)))"
}
phase_pid=
