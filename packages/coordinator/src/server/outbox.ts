// In: messages for one agent. Out: the next one to write. Pure but for its own slots: of each kind only the newest is
// kept, so a slow reader costs one message of each kind and gets the newest state, never a queue of old ones.

/** In the order of sending: roots before a state that may need them. */
const order = ["dismissal", "welcome", "bundle", "desired", "question", "dial", "attention"] as const;
export type SlotName = (typeof order)[number];

export class Outbox<Message> {
  readonly #slots = new Map<SlotName, Message>();

  put(slot: SlotName, message: Message): void {
    this.#slots.set(slot, message);
  }

  take(): { readonly slot: SlotName; readonly message: Message } | undefined {
    for (const slot of order) {
      const message = this.#slots.get(slot);
      if (message === undefined) continue;
      this.#slots.delete(slot);
      return { slot, message };
    }
    return undefined;
  }

  get size(): number {
    return this.#slots.size;
  }
}
