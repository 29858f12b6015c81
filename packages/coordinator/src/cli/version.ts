// The version of this program, put in by the build.
declare const __WEFT_VERSION__: string | undefined;

export const version = typeof __WEFT_VERSION__ === "string" ? __WEFT_VERSION__ : "0.0.0-source";
