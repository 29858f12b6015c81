// The service "api" of the example mesh: see README.md.
import { serveUntilStopped } from "./serve.ts";

void serveUntilStopped(process.env).then((code) => process.exit(code));
