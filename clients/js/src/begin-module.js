const SCRIPT = import.meta.url;
