(() => {
'use strict';
const SCRIPT = globalThis.document?.currentScript?.src;
