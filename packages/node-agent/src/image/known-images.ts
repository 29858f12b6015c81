// Official images of Cilium, as data: the digest of each version's index, which names a manifest for each platform. They are from
// Cilium's own release chart of that version. What is not here is taken only by a digest that the operator names.

export interface KnownImage {
  readonly version: string;
  readonly digest: string;
  readonly platforms: readonly string[];
}

export const knownImages: readonly KnownImage[] = [
  {
    version: "1.18.10",
    digest: "sha256:dd573bc2f7213dbd978e564a363ecaad060e9578ed557b92b53e42eeeb0f2294",
    platforms: ["linux/amd64", "linux/arm64"],
  },
];
