// What Asterisk writes into its messages.log when it cannot make sense of a setting: then that file, or that section, counts for nothing.

/** @type {RegExp} */
export const complaint = /(?:WARNING|ERROR)\[\d+\](?:\[[^\]]*\])? (?:pbx|pbx_config|\w*config\w*|main\/config\w*|config_options|res_pjsip\w*|\w*sorcery\w*|res_musiconhold|cdrel_custom\/\w+)\b/
