// In: an address and a port. Out: whether a TCP connection there comes about within a second; it is closed at once.
import { connect } from "node:net";

const patienceMs = 1_000;

export function dialTcp(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
