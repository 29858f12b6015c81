// In: a level. Out: the coordinator's log: one JSON object a line on standard error, secrets taken out.
import winston from "winston";
import { redact } from "./log-redaction.ts";
import type { LogFields, Logger } from "./logger.ts";

export function makeLog(level = "info"): Logger {
  const logger = winston.createLogger({
    level,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: ["error", "warn", "info", "debug"] })],
  });
  const say = (severity: string) => (message: string, fields?: LogFields) => {
    logger.log({ level: severity, message: String(redact(message)), ...(redact(fields ?? {}) as object) });
  };
  return { info: say("info"), warn: say("warn"), error: say("error") };
}
