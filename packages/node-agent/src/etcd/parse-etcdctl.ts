// In: what etcdctl printed as JSON. Out: values, each checked. Pure. Numbers of members and leases have 64 bits, more than a
// number here can hold, so they are only taken where etcdctl prints them in hex, or as text.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { asList, asObject, type Json } from "@weft/shared/kernel-verdict/json";
import type { EtcdGrant } from "./client-grants.ts";
import type { EtcdKey } from "./find-garbage.ts";
import type { FoundMember } from "./plan-members.ts";

export interface EtcdStatus {
  readonly endpoint: string;
  readonly isLearner: boolean;
  readonly hasLeader: boolean;
  /** Of etcd itself. */
  readonly isLeader: boolean;
  readonly revision: number;
  /** Bytes of the database's file. */
  readonly size: number;
  readonly quota: number;
  readonly errors: readonly string[];
}

export interface EtcdAlarm {
  /** In hex. */
  readonly member: string;
  readonly kind: string;
}

function wrong(why: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E003", "what etcdctl printed is not understood", { why, cause });
}

function objectOf(name: string, value: unknown): Json {
  const object = asObject(value);
  if (object === undefined) throw wrong(`${name} is no object`);
  return object;
}

/** etcdctl leaves out what is empty. */
function listOf(name: string, value: unknown): readonly unknown[] {
  const list = value === undefined || value === null ? [] : asList(value);
  if (list === undefined) throw wrong(`${name} is no list`);
  return list;
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw wrong(`${name} is no text`);
  return value;
}

function textsOf(name: string, value: unknown): string[] {
  return listOf(name, value).map((item) => textOf(`one of ${name}`, item));
}

/** etcdctl leaves out what is 0. */
function countOf(name: string, value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw wrong(`${name} is no count`);
  return value;
}

/** Only whether it is there. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== 0 && value !== false;
}

function bytesOf(name: string, value: unknown): string {
  return Buffer.from(textOf(name, value ?? ""), "base64").toString("utf8");
}

function answerOf(text: string): Json {
  try {
    return objectOf("the answer", JSON.parse(text));
  } catch (cause) {
    throw wrong(messageOf(cause), cause);
  }
}

/** One a line, of those that answered. */
export function parseStatuses(text: string): EtcdStatus[] {
  const { list } = answerOf(`{"list":${text.trim() === "" ? "[]" : text}}`);
  return listOf("the answer", list).map((item) => {
    const { Endpoint, Status } = objectOf("a status", item);
    const status = objectOf("Status", Status);
    const header = objectOf("header", status["header"]);
    return {
      endpoint: textOf("Endpoint", Endpoint),
      isLearner: status["isLearner"] === true,
      hasLeader: isSet(status["leader"]),
      // cut to the same digits both
      isLeader: isSet(status["leader"]) && status["leader"] === header["member_id"],
      revision: countOf("revision", header["revision"]),
      size: countOf("dbSize", status["dbSize"]),
      quota: countOf("dbSizeQuota", status["dbSizeQuota"]),
      errors: textsOf("errors", status["errors"]),
    };
  });
}

/**
 * Of plain text, because in JSON there are either numbers in hex or learners. A line each:
 * 8e9e05c52164694d, started, NAME, https://one:2380,https://two:2380, https://one:2379, false
 */
export function parseMembers(text: string): FoundMember[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [, id, peers, clients, learner] =
      /^([0-9a-f]{1,16}), \w+, .*, (\S*), (\S*), (true|false)$/.exec(line) ?? [];
    if (id === undefined || peers === undefined || clients === undefined)
      throw wrong("a line about a member has another form");
    const urlsOf = (urls: string) => urls.split(",").filter((url) => url !== "");
    return { id, peerUrls: urlsOf(peers), clientUrls: urlsOf(clients), isLearner: learner === "true" };
  });
}

/** Of plain text, a line each: memberID:10276657743932975437 alarm:NOSPACE */
export function parseAlarms(text: string): EtcdAlarm[] {
  return [...text.matchAll(/memberID:(\d+)\s+alarm:(\w+)/g)].map(([, member = "", kind = ""]) => ({
    member: BigInt(member).toString(16),
    kind,
  }));
}

/** Of plain text: lease 694da22c4e45650c granted with TTL(180s) */
export function parseLease(text: string): string {
  const id = /^lease ([0-9a-f]+) granted/.exec(text)?.[1];
  if (id === undefined) throw wrong("a lease has no number");
  return id;
}

export function parseAuthStatus(text: string): { readonly isEnabled: boolean; readonly revision: number } {
  const { enabled, authRevision } = answerOf(text);
  return { isEnabled: enabled === true, revision: countOf("authRevision", authRevision) };
}

export function parseNames(field: "users" | "roles", text: string): string[] {
  return textsOf(field, answerOf(text)[field]);
}

export function parseGrants(text: string): EtcdGrant[] {
  return listOf("perm", answerOf(text)["perm"]).map((item) => {
    const grant = objectOf("a permission", item);
    const permission = (["read", "write", "readwrite"] as const)[countOf("permType", grant["permType"])];
    if (permission === undefined) throw wrong("a permission is of no kind that is known");
    return {
      permission,
      key: bytesOf("key", grant["key"]),
      end: bytesOf("range_end", grant["range_end"]),
    };
  });
}

export function parseKeys(text: string): EtcdKey[] {
  return listOf("kvs", answerOf(text)["kvs"]).map((item) => {
    const row = objectOf("a key", item);
    return {
      key: bytesOf("key", row["key"]),
      value: bytesOf("value", row["value"]),
      createRevision: countOf("create_revision", row["create_revision"]),
      modRevision: countOf("mod_revision", row["mod_revision"]),
    };
  });
}

/** @returns the revision it made, or undefined where what it compared was not so */
export function parseTransaction(text: string): number | undefined {
  const { succeeded, header } = answerOf(text);
  return succeeded === true ? countOf("revision", objectOf("header", header)["revision"]) : undefined;
}
