/** The shells' halves of completion: they ask `slipway __complete` and show what it says. */

const BASH = `# bash completion of slipway: source <(slipway completion bash)
_slipway() {
  local -a words
  local value about typed kept
  read -r -a words <<< "\${COMP_LINE:0:COMP_POINT}"
  [[ "\${COMP_LINE:0:COMP_POINT}" == *" " ]] && words+=("")
  typed="\${words[\${#words[@]}-1]}"
  # bash takes words apart at ":" and "=" and replaces only the last part.
  kept="\${typed%"\${typed##*[:=]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    COMPREPLY+=("\${value#"$kept"}")
  done < <(slipway __complete "\${words[@]:1}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _slipway slipway
`;

const ZSH = `#compdef slipway
# zsh completion of slipway: slipway completion zsh > ~/.zfunc/_slipway (in fpath)
_slipway() {
  local line value
  local -a candidates
  for line in "\${(@f)$(slipway __complete "\${(@)words[2,$CURRENT]}" 2>/dev/null)}"; do
    [[ -z "$line" ]] && continue
    value="\${line%%$'\\t'*}"
    candidates+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe -V slipway candidates
}
compdef _slipway slipway
if [ "$funcstack[1]" = "_slipway" ]; then
  _slipway
fi
`;

const FISH = `# fish completion of slipway: slipway completion fish > ~/.config/fish/completions/slipway.fish
function __slipway_complete
  set -l words (commandline -opc) (commandline -ct)
  slipway __complete $words[2..-1] 2>/dev/null
end
complete -c slipway -f -a '(__slipway_complete)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
