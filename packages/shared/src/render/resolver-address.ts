// In: nothing. Out: the addresses and names of the node's own resolver, the same on every node.

/** Loopback, so only this machine reaches it; not 127.0.0.1 or .53, which other resolvers hold. */
export const resolverAddress = "127.0.0.153";
