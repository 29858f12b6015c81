// In: the phases of a longer work. Out: one line for each as it ends, with its time; on a terminal also what is going
// on now.
import type { Terminal } from "../cli/terminal.ts";

const titleWidth = 16;
const tickMs = 250;

export interface Narrator {
  /** `work` answers with what was done, in a few words. */
  phase(title: string, work: () => Promise<string>): Promise<void>;
}

export function makeNarrator(terminal: Terminal, now: () => Date): Narrator {
  return {
    async phase(title, work) {
      const began = now().getTime();
      const elapsed = () => `${((now().getTime() - began) / 1000).toFixed(1)} s`;
      const label = title.padEnd(titleWidth);
      const tick = terminal.live
        ? setInterval(
            () => terminal.repaint([`${label}  ${terminal.paint("quiet", `working, ${elapsed()}`)}`]),
            tickMs,
          )
        : undefined;
      const finish = (line: string) => {
        clearInterval(tick);
        if (!terminal.live) {
          terminal.out(line);
          return;
        }
        terminal.repaint([line]);
        terminal.endRepaint();
      };
      try {
        const done = await work();
        finish(`${label}  ${done} ${terminal.paint("quiet", `(${elapsed()})`)}`);
      } catch (failure) {
        finish(`${label}  ${terminal.paint("bad", "failed")} ${terminal.paint("quiet", `(${elapsed()})`)}`);
        throw failure;
      }
    },
  };
}
