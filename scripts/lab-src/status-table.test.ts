import { expect, it } from "@jest/globals";
import { renderStatus } from "./status-table.ts";

it("renders aligned columns without trailing blanks", () => {
  const api1 = {
    name: "api1",
    state: "running",
    address: "10.77.0.12",
    address6: "fd77::12",
    cut: true,
  } as const;
  expect(renderStatus([{ ...api1, name: "n1", cut: false }, api1])).toBe(
    `MACHINE  STATE    IPV4        IPV6      NETWORK
n1       running  10.77.0.12  fd77::12  plugged in
api1     running  10.77.0.12  fd77::12  cut
`,
  );
});
