// What an endpoint of Cilium has to be: a service's link into its network namespace, its address and its labels.

export interface EndpointWish {
  /** Its name for the agent (container-id): weft-SERVICE. */
  readonly owner: string;
  /** IPv4, of the node's range. */
  readonly address: string;
  /** In the form source:key=value. */
  readonly labels: readonly string[];
  /** Of the end outside, as it is now: a link that was made again has another index. */
  readonly linkName: string;
  readonly linkIndex: number;
  /** Of the end inside. */
  readonly mac: string;
  readonly hostMac: string;
}
