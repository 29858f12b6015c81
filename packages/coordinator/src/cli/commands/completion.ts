// `weft completion`: a bash completion made from the command tree, so that it never lags behind.
import type { Command } from "commander";
import type { CliContext } from "../context.ts";

function wordsOf(command: Command): string[] {
  const commands = command.commands.map((child) => child.name());
  const options = command.options.flatMap((option) =>
    option.long === undefined || option.long === null ? [] : [option.long],
  );
  return [...commands, ...options];
}

function caseOf(path: string, command: Command): string[] {
  return [
    `    "${path}") words="${wordsOf(command).join(" ")}" ;;`,
    ...command.commands.flatMap((child) => caseOf(`${path} ${child.name()}`.trim(), child)),
  ];
}

export function bashCompletion(program: Command): string {
  return `# bash completion of weft: put this into /etc/bash_completion.d/weft
_weft() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${caseOf("", program).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
  [ "\${#COMPREPLY[@]}" -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -F _weft weft`;
}

export function addCompletionCommand(program: Command, context: CliContext): void {
  program
    .command("completion")
    .description("print a completion script for bash")
    .action(() => context.terminal.out(bashCompletion(program)));
}
