import { expect, it } from "@jest/globals";
import { findUser } from "./enter.ts";

const passwd = `root:x:0:0:root:/root:/bin/bash
web:x:996:995::/home/web:/usr/sbin/nologin
`;

it("finds a user in a passwd file by its whole name", () => {
  expect(findUser(passwd, "web")).toEqual({ uid: "996", gid: "995", home: "/home/web" });
  expect(findUser(passwd, "we")).toBeUndefined();
});
