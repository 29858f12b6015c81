import { expect, it } from "@jest/globals";
import { recipeDigest, rootFiles } from "./root-recipe.ts";

it("has one digest per architecture, the same each time", () => {
  expect(recipeDigest("x64", "plain")).toBe(recipeDigest("x64", "plain"));
  expect(recipeDigest("x64", "plain")).not.toBe(recipeDigest("arm64", "plain"));
  expect(recipeDigest("x64", "plain")).toMatch(/^[0-9a-f]{16}$/);
});

it("writes below the root only, each path once", () => {
  const paths = rootFiles("plain").map((file) => file.path);
  expect(paths.filter((path) => path.startsWith("/") || path.includes(".."))).toEqual([]);
  expect(new Set(paths).size).toBe(paths.length);
});
