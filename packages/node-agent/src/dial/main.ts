// `weft-dial ADDRESS PORT`, a program of its own that starts fast: run by the agent in a passing unit, as the user of a
// service. Makes one TCP connection and prints one line; it reads no file and needs no right.
import { isIP } from "node:net";
import { dialOnce } from "./dial-once.ts";
import { dialWord } from "./dial-word.ts";

const [address = "", port = ""] = process.argv.slice(2);
if (isIP(address) === 0 || !/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535) {
  process.stderr.write("weft-dial: an IP address and a port are needed\n");
  process.exitCode = 2;
} else {
  dialOnce(address, Number(port)).then(
    (result) => process.stdout.write(dialWord(result)),
    (bug: unknown) => {
      process.stderr.write(`weft-dial: ${String(bug)}\n`);
      process.exitCode = 1;
    },
  );
}
