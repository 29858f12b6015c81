// Question and Answer <-> weft.v1. Both are checked: a question is data, and so is what a node answers.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/agent.ts";
import { familyOf, parseAddress } from "../model/address.ts";
import type { Strength, Traffic } from "../model/desired.ts";
import type {
  AnswerVerdict,
  DecidedBy,
  EndpointVerdict,
  KernelAnswer,
  KernelQuestion,
  Listener,
  NoAnswer,
} from "../model/observation.ts";
import { askedPort, askedUser } from "./asked-fields.ts";
import { oneOf, toNumber } from "./number.ts";

const hooks: readonly KernelQuestion["hook"][] = ["input", "output", "forward"];
const protocols: readonly Traffic[] = ["tcp", "udp", "icmp"];
const verdicts: readonly AnswerVerdict[] = ["accept", "drop", "reject", "unknown"];
const strengths: readonly Strength[] = ["mtls", "address+uid", "address"];
const directions: readonly EndpointVerdict["direction"][] = ["ingress", "egress"];
const endpointVerdicts: readonly EndpointVerdict["verdict"][] = ["allow", "deny", "unknown"];
const decisions: readonly DecidedBy[] = [
  "policy",
  "default",
  "guard",
  "baseline",
  "unjudged",
  "other-table",
  "nothing-loaded",
];

export function encodeQuestion(question: KernelQuestion): wire.Question {
  return { ...question, id: BigInt(question.id), publishedPort: question.publishedPort ?? 0 };
}

export function decodeQuestion(message: wire.Question): KernelQuestion {
  const source = parseAddress(message.source);
  const destination = parseAddress(message.destination);
  if (familyOf(source) !== familyOf(destination))
    throw new WeftError("WEFT-E003", `${source} and ${destination} are of different families`);
  return {
    id: toNumber(message.id, "question"),
    hook: oneOf(message.hook, hooks, "hook"),
    source,
    destination,
    protocol: oneOf(message.protocol, protocols, "protocol"),
    port: message.protocol === "icmp" ? 0 : askedPort(message.port),
    user: askedUser(message.user),
    local: message.local,
    publishedPort: message.publishedPort === 0 ? undefined : askedPort(message.publishedPort),
  };
}

export function encodeAnswer(answer: KernelAnswer | NoAnswer): wire.Answer {
  if ("problem" in answer) return { ...nothing, id: BigInt(answer.id), problem: answer.problem };
  const { uid, ...rest } = answer;
  return {
    ...rest,
    user: uid === undefined ? undefined : { uid, name: "" },
    id: BigInt(answer.id),
    problem: "",
    ownVerdict: answer.ownVerdict ?? "",
    trace: [...answer.trace],
    assumed: [...answer.assumed],
    others: answer.others.map((other) => ({ ...other })),
    revision: BigInt(answer.revision),
    listeners: answer.listeners.map(encodeListener),
    endpoints: answer.endpoints.map(({ listeners, ...verdict }) => ({
      ...verdict,
      listenersKnown: listeners !== undefined,
      listeners: (listeners ?? []).map(encodeListener),
    })),
  };
}

function encodeListener({ address, uid, user }: Listener): wire.Listener {
  return { address, user: { uid, name: user } };
}

const nothing: wire.Answer = {
  id: 0n,
  problem: "",
  witness: "",
  verdict: "unknown",
  ownVerdict: "",
  decidedBy: "nothing-loaded",
  policy: "",
  file: "",
  line: 0,
  strength: "address",
  whyUnknown: "",
  trace: [],
  assumed: [],
  others: [],
  revision: 0n,
  digest: "",
  user: undefined,
  listeners: [],
  audited: false,
  endpoints: [],
};

const most = 64;
const short = (text: string): string => text.slice(0, 300);

export function decodeAnswer(message: wire.Answer): KernelAnswer | NoAnswer {
  const id = toNumber(message.id, "question");
  if (message.problem !== "") return { id, problem: short(message.problem) };
  return {
    id,
    witness: short(message.witness),
    verdict: oneOf(message.verdict, verdicts, "verdict"),
    ownVerdict: message.ownVerdict === "" ? undefined : oneOf(message.ownVerdict, verdicts, "verdict"),
    decidedBy: oneOf(message.decidedBy, decisions, "decision"),
    policy: short(message.policy),
    file: short(message.file),
    line: message.line,
    strength: oneOf(message.strength, strengths, "strength"),
    whyUnknown: short(message.whyUnknown),
    trace: message.trace.slice(0, most).map(short),
    assumed: message.assumed.slice(0, most).map(short),
    others: message.others.slice(0, most).map((other) => ({
      table: short(other.table),
      chain: short(other.chain),
      verdict: oneOf(other.verdict, verdicts, "verdict"),
      whyUnknown: short(other.whyUnknown),
    })),
    revision: toNumber(message.revision, "revision"),
    digest: short(message.digest),
    uid: message.user?.uid,
    listeners: decodeListeners(message.listeners),
    audited: message.audited,
    endpoints: message.endpoints.slice(0, most).map(decodeEndpoint),
  };
}

function decodeListeners(listeners: readonly wire.Listener[]): Listener[] {
  return listeners.slice(0, most).map(({ address, user }) => ({
    address: short(address),
    uid: user?.uid ?? 0,
    user: short(user?.name ?? ""),
  }));
}

function decodeEndpoint(message: wire.EndpointVerdict): EndpointVerdict {
  return {
    service: short(message.service),
    direction: oneOf(message.direction, directions, "direction"),
    verdict: oneOf(message.verdict, endpointVerdicts, "verdict of an endpoint"),
    identity: message.identity,
    entry: short(message.entry),
    whyUnknown: short(message.whyUnknown),
    listeners: message.listenersKnown ? decodeListeners(message.listeners) : undefined,
  };
}
