// In: events about nodes. Out: the view of each, and word of every change that somebody may be waiting for.
// Holds the views; what an event means is decided in node-view.ts.
import { foldNode, type NodeEvent, type NodeView, unknownNode } from "./node-view.ts";

export type FleetListener = (node: string, event: NodeEvent) => void;

export class Fleet {
  readonly #views = new Map<string, NodeView>();
  readonly #listeners = new Set<FleetListener>();

  note(node: string, event: NodeEvent): void {
    this.#views.set(node, foldNode(this.view(node), event));
    for (const listener of this.#listeners) listener(node, event);
  }

  view(node: string): NodeView {
    return this.#views.get(node) ?? unknownNode(node);
  }

  /** By name. */
  views(): NodeView[] {
    return [...this.#views.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  forget(node: string): void {
    const view = this.#views.get(node);
    this.#views.delete(node);
    if (view !== undefined) for (const listener of this.#listeners) listener(node, { kind: "unnamed" });
  }

  /** Returns the way to stop listening. */
  listen(listener: FleetListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
