// In: a number and a noun. Out: both together as one says it. Pure.
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
