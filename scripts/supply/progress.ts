// In: the name of something that takes time, and notes about how far it is. Out: one line at the start, one every
// ten seconds with the time spent, one at the end
// unless it failed: the caller then says why.
export interface ProgressSink {
  line(text: string): void;
  /** milliseconds, monotonic */
  now(): number;
}

const periodMs = 10_000;

/** Runs the work and narrates it; the work may name its present step through `note`. */
export async function narrate<T>(
  sink: ProgressSink,
  title: string,
  work: (note: (text: string) => void) => Promise<T>,
): Promise<T> {
  const began = sink.now();
  const elapsed = () => formatElapsed(sink.now() - began);
  let latest = "";
  const timer = setInterval(
    () => sink.line(`${title}: ${elapsed()}${latest === "" ? "" : `, ${latest}`}`),
    periodMs,
  );
  sink.line(title);
  try {
    const result = await work((text) => {
      latest = text;
    });
    sink.line(`${title}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

export function formatElapsed(ms: number): string {
  const seconds = Math.round(ms / 100) / 10;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
