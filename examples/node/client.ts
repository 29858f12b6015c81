// In: command-line arguments. Out: the answers of another service, one JSON line each, and an exit code: 0 only if
// every request was answered with 2xx by exactly the expected SPIFFE ID.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isAbort } from "@weft/shared/errors/system";
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { watchX509Source, type X509Source } from "@weft/shared/spiffe/x509-source";
import { type Answer, ask, freshConnection, oneConnection, type Question } from "./ask.ts";
import { sentenceOf } from "./sentence.ts";

export interface ClientArguments extends Question {
  /** undefined: go on until stopped. */
  readonly count: number | undefined;
  readonly intervalMs: number;
  readonly keepAlive: boolean;
}

const usage =
  "usage: web [--get https://HOST:PORT/PATH --expect SPIFFE-ID [--count N] [--interval MS] [--keepalive] [--timeout MS]]";

function numberOf(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name} is not a number: ${text}\n${usage}`);
}

/** undefined without --get: the program serves instead. */
export function parseClientArguments(argv: readonly string[]): ClientArguments | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      get: { type: "string" },
      expect: { type: "string" },
      count: { type: "string" },
      interval: { type: "string" },
      timeout: { type: "string", default: "5000" },
      keepalive: { type: "boolean", default: false },
    },
  });
  const { get, expect, count, interval, timeout, keepalive } = values;
  if (get === undefined && argv.length === 0) return undefined;
  if (get === undefined || expect === undefined)
    throw new Error(`--get and --expect belong together\n${usage}`);
  if (!URL.canParse(get) || new URL(get).protocol !== "https:")
    throw new Error(`not an https URL: ${get}\n${usage}`);
  parseSpiffeId(expect);
  const endless = keepalive || interval !== undefined;
  return {
    url: new URL(get),
    expect,
    timeoutMs: numberOf("timeout", timeout),
    count: count === undefined ? (endless ? undefined : 1) : numberOf("count", count),
    intervalMs: numberOf("interval", interval ?? "1000"),
    keepAlive: keepalive,
  };
}

type Write = (line: string) => void;

interface Tally {
  asked: number;
  answered: number;
}

function printed(answer: Answer): string {
  return JSON.stringify({ status: answer.status, peer: answer.peer, body: answer.body });
}

const isGood = (answer: Answer) => answer.status >= 200 && answer.status < 300;

/** Asks again and again until the count is reached or the signal aborts; stops early if once says so. */
async function repeat(
  args: ClientArguments,
  signal: AbortSignal,
  once: () => Promise<boolean>,
): Promise<void> {
  for (let i = 0; args.count === undefined || i < args.count; i += 1) {
    if (i > 0) await sleep(args.intervalMs, undefined, { signal });
    if (signal.aborted || !(await once())) return;
  }
}

/** Each request over a connection of its own; a failed one does not end the row. */
async function askFreshly(
  args: ClientArguments,
  source: X509Source,
  signal: AbortSignal,
  write: Write,
): Promise<Tally> {
  const tally = { asked: 0, answered: 0 };
  await repeat(args, signal, async () => {
    tally.asked += 1;
    try {
      const answer = await ask(args, freshConnection(source, args.expect));
      write(printed(answer));
      if (isGood(answer)) tally.answered += 1;
    } catch (error) {
      write(JSON.stringify({ error: sentenceOf(error, args.url) }));
    }
    return true;
  }).catch(ignoreAbort);
  return tally;
}

/** Every request over one and the same connection; its end ends the row. */
async function askOverOne(
  args: ClientArguments,
  source: X509Source,
  signal: AbortSignal,
  write: Write,
): Promise<Tally> {
  const tally = { asked: 0, answered: 0 };
  const way = oneConnection(source, args.expect);
  let first: Answer["socket"] | undefined;
  await repeat(args, signal, async () => {
    tally.asked += 1;
    try {
      const answer = await ask(args, way);
      first ??= answer.socket;
      if (answer.socket !== first) {
        write(JSON.stringify({ broken: "the connection was closed, and another had to be opened" }));
        return false;
      }
      write(printed(answer));
      if (isGood(answer)) tally.answered += 1;
      return true;
    } catch (error) {
      write(JSON.stringify({ broken: sentenceOf(error, args.url) }));
      return false;
    }
  }).catch(ignoreAbort);
  way.agent.destroy();
  return tally;
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error;
}

async function askOnce(args: ClientArguments, source: X509Source, write: Write): Promise<number> {
  const answer = await ask(args, freshConnection(source, args.expect)).catch((error: unknown) => {
    throw new Error(sentenceOf(error, args.url));
  });
  write(printed(answer));
  if (isGood(answer)) return 0;
  throw new Error(`${args.url.host} refused the request with HTTP status ${answer.status}`);
}

/** Throws an Error of one sentence if there is no identity, or if the one request fails. */
export async function runClient(
  args: ClientArguments,
  workloadApi: string,
  signal: AbortSignal,
  write: Write,
): Promise<number> {
  const ended = new AbortController();
  const trouble = Promise.withResolvers<never>();
  const { source, ready } = watchX509Source(workloadApi, {
    signal: AbortSignal.any([signal, ended.signal]),
    // Before the first identity a trouble is the result; later ones do not matter while the identity is valid.
    onTrouble: trouble.reject,
  });
  trouble.promise.catch(() => undefined);
  try {
    await Promise.race([ready, trouble.promise]);
    if (args.count === 1 && !args.keepAlive) return await askOnce(args, source, write);
    const tally = await (args.keepAlive ? askOverOne : askFreshly)(args, source, signal, write);
    write(JSON.stringify({ asked: tally.asked, answered: tally.answered }));
    return tally.asked > 0 && tally.answered === tally.asked ? 0 : 1;
  } finally {
    ended.abort();
  }
}
