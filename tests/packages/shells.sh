#!/usr/bin/env bash
# Completions as the shells themselves give them, and manual pages as readers see them:  shells.sh TIDINGS
set -euo pipefail

tidings=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
passed=0

# check NAME TEXT WANTED…: the text has each of these lines.
check() {
  local name=$1 text=$2 wanted
  shift 2
  for wanted in "$@"; do
    if ! grep -qxF -- "$wanted" <<< "$text"; then
      printf '%s: no line "%s" in:\n%s\n' "$name" "$wanted" "$text"
      exit 1
    fi
  done
  passed=$((passed + 1))
}

"$tidings" completions bash > "$folder/tidings.bash"
"$tidings" completions zsh > "$folder/_tidings"
"$tidings" completions fish > "$folder/tidings.fish"

# What bash offers for the last of these words.
in_bash() {
  bash --norc -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidings tidings "${!#}" "${COMP_WORDS[-2]}"; printf "%s\n" "${COMPREPLY[@]}"' \
    bash "$folder/tidings.bash" "$@" 2> /dev/null
}

check "bash: commands" "$(in_bash tidings pub)" publish
check "bash: flags" "$(in_bash tidings subscribe --l)" --last
check "bash: commands of a command" "$(in_bash tidings config '')" check show policy default
check "bash: values" "$(in_bash tidings completions '')" bash zsh fish
check "fish: commands" "$(fish --no-config -c "source $folder/tidings.fish; complete -C 'tidings pub'" | cut -f1)" publish
check "fish: flags" "$(fish --no-config -c "source $folder/tidings.fish; complete -C 'tidings subscribe --l'" | cut -f1)" --last

# zsh completes only in a terminal: in a pseudo-terminal it is given keys, and the last of them writes down what the line is then.
check "zsh: syntax" "$(zsh --no-exec "$folder/_tidings" && echo right)" right
cat > "$folder/.zshrc" << 'EOF'
fpath=($ZDOTDIR $fpath)
autoload -U compinit
compinit -u -D
finish() { print -r -- $BUFFER > $ZDOTDIR/line; exit; }
zle-line-init() { : > $ZDOTDIR/ready }
zle -N finish
zle -N zle-line-init
bindkey '^X' finish
EOF
ZDOTDIR=$folder zsh --no-rcs -c '
  zmodload zsh/zpty
  zpty shell zsh --interactive
  await() { for try in {1..100}; do [[ -e $ZDOTDIR/$1 ]] && return; zpty -r -t shell text; sleep 0.1; done }
  await ready
  zpty -w -n shell $'"'tidings publ\\tnews 1 --eve\\t\\x18'"'
  await line
'
check "zsh: commands and flags" "$(sed 's/ *$//' "$folder/line")" "tidings publish news 1 --event="

"$tidings" man "$folder/man"
for page in "$folder"/man/*.1; do
  troubles=$(man --warnings --local-file "$page" 2>&1 > "$folder/shown")
  [[ -z $troubles && -s $folder/shown ]] || { printf '%s: %s\n' "$page" "$troubles"; exit 1; }
done
passed=$((passed + 1))
shown=$(MANWIDTH=100 man --local-file "$folder/man/tidings-subscribe.1" | col -b)
grep -q 'Begin with the newest N publications' <<< "$shown" || { printf '%s\n' "$shown"; exit 1; }
passed=$((passed + 1))
if "$tidings" man /dev/null/pages 2> "$folder/refused"; then exit 1; fi
grep -q 'the pages cannot be written to /dev/null/pages' "$folder/refused"
passed=$((passed + 1))

printf '%d passed, 0 failed\n' "$passed"
