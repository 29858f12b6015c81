// In: nothing. Out: the processor's name, by systeminformation, loaded on first use and asked once: it starts
// programs by the dozen and weighs 4 MiB.

export async function readCpuModel(): Promise<string> {
  const { cpu } = await import("systeminformation");
  const found = await cpu();
  return [found.manufacturer, found.brand].filter((part) => part !== "").join(" ");
}
