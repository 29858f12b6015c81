// In: the address of a Workload API. Out: the identity and roots that are valid now, kept current in the background.
import { derToPem } from "./certificate.ts";
import { formatSpiffeId } from "./spiffe-id.ts";
import { type WatchOptions, watchX509 } from "./workload-api.ts";
import { noX509Context, type X509Context } from "./x509-context.ts";

/** What a TLS endpoint needs, as PEM. */
export interface TlsIdentity {
  readonly id: string;
  readonly cert: string;
  readonly key: string;
  /** The roots of the identity's own trust domain. */
  readonly ca: string;
}

export interface X509Source {
  /** undefined: there is none yet, or it was withdrawn. */
  current(): TlsIdentity | undefined;
  /** Calls the listener at every change from now on; the result ends that. */
  onChange(listener: (identity: TlsIdentity | undefined) => void): () => void;
}

/** The default SVID of a state in the form TLS wants. */
export function tlsIdentityOf(context: X509Context): TlsIdentity | undefined {
  const svid = context.svids[0];
  if (svid === undefined) return undefined;
  const roots = context.bundles.get(svid.id.trustDomain) ?? [];
  return {
    id: formatSpiffeId(svid.id),
    cert: svid.chain.map((der) => derToPem(der)).join(""),
    key: derToPem(svid.privateKey, "PRIVATE KEY"),
    ca: roots.map((der) => derToPem(der)).join(""),
  };
}

/** A source that is fed from outside: by a watch, or by a test. */
export class X509Feed implements X509Source {
  readonly #listeners = new Set<(identity: TlsIdentity | undefined) => void>();
  #identity: TlsIdentity | undefined;

  current(): TlsIdentity | undefined {
    return this.#identity;
  }

  onChange(listener: (identity: TlsIdentity | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(context: X509Context = noX509Context): void {
    this.#identity = tlsIdentityOf(context);
    for (const listener of [...this.#listeners]) listener(this.#identity);
  }
}

export interface WatchedSource {
  readonly source: X509Source;
  /** Resolves with the first identity. Rejects if the watch ends before there is one. */
  readonly ready: Promise<TlsIdentity>;
  /** Settles when the watch is over: rejects if it had to give up. */
  readonly done: Promise<void>;
}

/** Watches the Workload API until options.signal aborts. */
export function watchX509Source(address: string, options: WatchOptions): WatchedSource {
  const source = new X509Feed();
  const first = Promise.withResolvers<TlsIdentity>();
  const stop = source.onChange((identity) => {
    if (identity === undefined) return;
    first.resolve(identity);
    stop();
  });
  const done = watchX509(address, (context) => source.update(context), options);
  done.then(() => first.reject(options.signal.reason), first.reject);
  // Who does not wait for the first identity learns from done how the watch ended.
  first.promise.catch(() => undefined);
  return { source, ready: first.promise, done };
}
