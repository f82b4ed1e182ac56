/** Starts the app. Shell. */

export {};
