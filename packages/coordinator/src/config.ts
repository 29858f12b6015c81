// In: the text of /etc/weft/coordinator.json. Out: the coordinator's settings, or WEFT-E003 naming the field. It holds
// no secret.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import { isLabel } from "@weft/shared/model/ids";
import { parseTrustDomain } from "@weft/shared/spiffe/spiffe-id";
import { z } from "zod";

const port = z.int().min(0).max(65535);
const absolutePath = z.string().regex(/^\/.+/, "must be an absolute path");
const address = z.string().refine((text) => normaliseAddress(text) === text, "must be an IP address");

const schema = z.strictObject({
  mesh: z.string().refine(isLabel, "must be a DNS label"),
  trustDomain: z.string(),
  /** The node the coordinator runs on. */
  hub: z.string().refine(isLabel, "must be a node name"),
  /** Where nodes reach it. */
  address,
  /** Where it listens, if that is another address (behind NAT). */
  listen: address.optional(),
  agentPort: port.default(7443),
  enrolmentPort: port.default(7444),
  spirePort: port.default(8081),
  spireSocket: absolutePath.default("/run/spire/server/api.sock"),
  stateDirectory: absolutePath.default("/var/lib/weft-coordinator"),
  controlSocket: absolutePath.default("/run/weft/control.sock"),
  components: absolutePath.default("/opt/weft/components"),
  /** How long SVIDs of nodes and of the coordinator live; renewed at half of it. */
  svidSeconds: z.int().min(60).max(86_400).default(3600),
  logLevel: z.enum(["error", "warn", "info"]).default("info"),
});

export type Config = z.output<typeof schema>;

export function parseConfig(text: string, origin: string): Config {
  const broken = (why: string, cause?: unknown) =>
    new WeftError("WEFT-E003", `${origin} is not understood`, { why, hint: "`weft init` writes it", cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw broken("it is not JSON", cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw broken(
      `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "it has the wrong form"}`,
      parsed.error,
    );
  }
  parseTrustDomain(parsed.data.trustDomain);
  return parsed.data;
}
