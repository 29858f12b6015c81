// In: nothing. Out: whether the SPIRE agent of this machine says it is ready, by its own health listener on loopback.
// Not by `spire-agent healthcheck`: starting a 66 MB program every few seconds is no small question.
import { get } from "node:http";
import { spireHealth } from "@weft/shared/render/spire-agent-conf";

export const spireHealthPort = 7482;
const answerWithinMs = 1_000;

export type HealthProbe = () => Promise<boolean>;

export function askSpireHealth(): Promise<boolean> {
  return new Promise((resolve) => {
    const url = `http://${spireHealth.address}:${spireHealthPort}${spireHealth.ready}`;
    const request = get(url, { timeout: answerWithinMs, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    // Nobody listens, or nobody answers in time: not ready, and that is the answer.
    request.on("error", () => resolve(false));
  });
}
