// The service "api" of the example mesh: see README.md.
import { serveUntilStopped } from "./serve.ts";
import { readSettings } from "./settings.ts";

serveUntilStopped(readSettings(process.env)).then((code) => process.exit(code));
