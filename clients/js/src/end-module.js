export { Tidings, TidingsError };
export default Tidings;
