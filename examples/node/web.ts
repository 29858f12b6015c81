// The service "web" of the example mesh; with --get, a client that asks another service. See README.md.
import { parseClientArguments, runClient } from "./client.ts";
import { sentenceOf } from "./sentence.ts";
import { serveUntilStopped } from "./serve.ts";
import { readSettings } from "./settings.ts";

async function main(): Promise<number> {
  try {
    const asked = parseClientArguments(process.argv.slice(2));
    if (asked === undefined) return await serveUntilStopped(process.env);
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
    const { workloadApi } = readSettings(process.env);
    return await runClient(asked, workloadApi, stop.signal, (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

void main().then((code) => process.exit(code));
