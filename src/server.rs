//! server - assembly: builds all from the config, owns every task, reloads, drains, answers the operator
