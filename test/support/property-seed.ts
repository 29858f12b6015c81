// In: WEFT_SEED. Out: every property test of the process draws from that seed, so that a failure can be had again.
import fc from "fast-check";

const seed = Number(process.env["WEFT_SEED"] ?? "1");
if (!Number.isSafeInteger(seed)) throw new Error("WEFT_SEED must be a whole number");
fc.configureGlobal({ seed });
