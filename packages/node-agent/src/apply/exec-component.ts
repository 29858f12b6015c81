// In: a component's name. Out: it under /opt/weft/components. Undone by nothing: a component with the right hash that
// no unit runs does no harm, and fetching it again would cost minutes.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import { type ComponentStore, componentPath } from "../components/component-store.ts";
import type { Executor, Undo } from "./executor.ts";

export class FetchComponent implements Executor<"fetchComponent"> {
  readonly #store: ComponentStore;

  constructor(store: ComponentStore) {
    this.#store = store;
  }

  async apply({ component }: StepArgs["fetchComponent"], signal: AbortSignal): Promise<Undo> {
    if (!(await this.#store.isGood(component))) await this.#store.fetch(component, signal);
    return async () => {};
  }

  async verify({ component }: StepArgs["fetchComponent"]): Promise<void> {
    if (!(await this.#store.isGood(component)))
      throw new WeftError("WEFT-E301", `${componentPath(component)} is missing or has the wrong hash`);
  }
}
