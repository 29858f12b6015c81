// In: what happens. Out: lines on standard output, where journald takes them. Whatever looks like a secret is cut out,
// wherever it came from: a log is read by many.
import { createLogger, format, transports } from "winston";

export interface Log {
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

const secretForms: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  // join tokens: NAME.SECRET
  /(?<=\b[a-z0-9-]{1,63}\.)[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-])/g,
  /(?<=\b(?:token|password|passphrase|secret)["']?\s*[:=]\s*["']?)[^\s"',;]+/gi,
];

export function redact(text: string): string {
  return secretForms.reduce((line, form) => line.replaceAll(form, "[redacted]"), text);
}

export function makeLog(): Log {
  const logger = createLogger({
    level: "info",
    format: format.printf(({ level, message }) => `${level}: ${redact(String(message))}`),
    transports: [new transports.Console({ stderrLevels: [] })],
  });
  return {
    info: (line) => void logger.info(line),
    warn: (line) => void logger.warn(line),
    error: (line) => void logger.error(line),
  };
}
