package api

// The codes of where in a script something went wrong: what comes next in the
// fault happened there.
const (
	CodeScriptAt         Code = "script_at"          // file:line:column, or a file
	CodeScriptInCommand  Code = "script_in_command"  // its name
	CodeScriptInHandler  Code = "script_in_handler"  // its name
	CodeScriptInSchedule Code = "script_in_schedule" // its name
	CodeScriptInExport   Code = "script_in_export"   // onLoad, onReload, onUnload
	CodeScriptInTimer    Code = "script_in_timer"
	CodeScriptInTop      Code = "script_in_top" // outside of all functions
	CodeScriptInCall     Code = "script_in_call"
)

// The codes of what keeps a script's source from running. Those that end in
// "_hint" help against the fault before them.
const (
	CodeScriptSaid          Code = "script_said"      // the words of the bundler, the engine, the YAML library or the script
	CodeScriptSaidHint      Code = "script_said_hint" // the bundler's words
	CodeScriptMore          Code = "script_more"      // how many mistakes are not told
	CodeScriptBundle        Code = "script_bundle"    // bytes, MiB allowed
	CodeScriptBundleHint    Code = "script_bundle_hint"
	CodeScriptDeep          Code = "script_deep"
	CodeScriptForeign       Code = "script_foreign" // name of an import that leads out of the folder
	CodeScriptImportHint    Code = "script_import_hint"
	CodeScriptDataHint      Code = "script_data_hint"
	CodeScriptPackageHint   Code = "script_package_hint"
	CodeScriptNodeHint      Code = "script_node_hint"         // module of Node
	CodeScriptNodeFilesHint Code = "script_node_files_hint"   // module of Node
	CodeScriptNodeWebHint   Code = "script_node_web_hint"     // module of Node
	CodeScriptNodeHasHint   Code = "script_node_has_hint"     // module of Node, what is there of it
	CodeScriptNodeConfHint  Code = "script_node_config_hint"  // module of Node
	CodeScriptNodeExecHint  Code = "script_node_exec_hint"    // module of Node
	CodeScriptNodeOneHint   Code = "script_node_thread_hint"  // module of Node
	CodeScriptNodeOSHint    Code = "script_node_machine_hint" // module of Node
	CodeScriptNoModule      Code = "script_no_module"         // name, as a script is told
	CodeScriptLiteralHint   Code = "script_literal_hint"
	CodeScriptNoFile        Code = "script_no_file"
	CodeScriptNoMainHint    Code = "script_no_main_hint"
	CodeScriptOutside       Code = "script_outside"
	CodeScriptOutsideHint   Code = "script_outside_hint"
	CodeScriptAlone         Code = "script_alone"
	CodeScriptAloneHint     Code = "script_alone_hint"
	CodeScriptIrregular     Code = "script_irregular"
	CodeScriptSize          Code = "script_size" // bytes, MiB allowed
	CodeScriptNotUTF8       Code = "script_not_utf8"
	CodeScriptNUL           Code = "script_nul"
	CodeScriptUTF8Hint      Code = "script_utf8_hint"
	CodeScriptExt           Code = "script_ext"         // extension
	CodeScriptExtHint       Code = "script_ext_hint"    // name without it
	CodeScriptBadID         Code = "script_bad_id"      // id
	CodeScriptBadIDHint     Code = "script_bad_id_hint" //
	CodeScriptOtherID       Code = "script_other_id"    // id
	CodeScriptOtherIDHint   Code = "script_other_id_hint"
	CodeScriptIDTaken       Code = "script_id_taken" // id
	CodeScriptIDTakenHint   Code = "script_id_taken_hint"
	CodeScriptIDChanged     Code = "script_id_changed" // id before, now
	CodeScriptIDChangedHint Code = "script_id_changed_hint"
	CodeScriptNone          Code = "script_none"
)

// The codes of what is wrong with a script's manifest, settings, needs or grants.
const (
	CodeScriptKey           Code = "script_key"       // name
	CodeScriptKeyHint       Code = "script_key_hint"  // those that there are
	CodeScriptValue         Code = "script_value"     // value, kind that is wanted
	CodeScriptManifest      Code = "script_manifest"  // bytes
	CodeScriptMain          Code = "script_main"      // path
	CodeScriptKeyType       Code = "script_key_type"  // key, kind that is none
	CodeScriptHost          Code = "script_host"      // what is no host
	CodeScriptSetKey        Code = "script_set_key"   // plugin, key
	CodeScriptSetNone       Code = "script_set_none"  // plugin, key
	CodeScriptSetValue      Code = "script_set_value" // plugin, key, kind that is wanted, value
	CodeScriptNeedsNone     Code = "script_needs_none"
	CodeScriptNeedsNoneHint Code = "script_needs_none_hint"
	CodeScriptNeedsCycle    Code = "script_needs_cycle" // plugin
	CodeScriptNeedsDown     Code = "script_needs_down"  // plugin
	CodeScriptLock          Code = "script_lock"        // error
	CodeScriptLockHint      Code = "script_lock_hint"
)

// The codes of what a script registers in vain.
const (
	CodeScriptRegLate      Code = "script_reg_late"
	CodeScriptRegName      Code = "script_reg_name"
	CodeScriptRegTaken     Code = "script_reg_taken"     // command, the one that has its name
	CodeScriptRegGenerator Code = "script_reg_generator" // these are told by js/core.js
	CodeScriptRegFilter    Code = "script_reg_filter"
	CodeScriptRegHandler   Code = "script_reg_handler"  // function that was called
	CodeScriptRegMade      Code = "script_reg_made"     // command, argument
	CodeScriptRegExport    Code = "script_reg_export"   // name
	CodeScriptRegEvent     Code = "script_reg_event"    // type, those that there are
	CodeScriptRegArg       Code = "script_reg_arg"      // argument, words of package ncat
	CodeScriptRegDefault   Code = "script_reg_default"  // argument, its default
	CodeScriptRegSchedule  Code = "script_reg_schedule" // name, what is no schedule
	CodeScriptRegMany      Code = "script_reg_many"     // handlers and commands allowed
	CodeScriptRegTimes     Code = "script_reg_times"    // schedules allowed
	CodeScriptRegZone      Code = "script_reg_zone"     // name of the schedule, zone
	CodeScriptRegPattern   Code = "script_reg_pattern"  // pattern, error
	CodeScriptRegFlag      Code = "script_reg_flag"     // flag of a pattern
	CodeScriptRegOption    Code = "script_reg_option"   // name
	CodeScriptRegType      Code = "script_reg_type"     // name, type that is wanted, type that is given
)

// The codes of why a script that ran was ended, refused or left out.
const (
	CodeScriptCPU        Code = "script_cpu"         // duration allowed
	CodeScriptMemory     Code = "script_memory"      // MiB allowed
	CodeScriptQueue      Code = "script_queue"       // events that wait
	CodeScriptCalls      Code = "script_calls"       // calls allowed
	CodeScriptTimers     Code = "script_timers"      // timers allowed
	CodeScriptSetup      Code = "script_setup"       // duration allowed
	CodeScriptLate       Code = "script_late"        // duration allowed
	CodeScriptTx         Code = "script_tx"          // duration allowed
	CodeScriptCallSize   Code = "script_call_size"   // bytes
	CodeScriptCallsSize  Code = "script_calls_size"  // MiB allowed
	CodeScriptAnswerSize Code = "script_answer_size" // bytes
	CodeScriptFetchSize  Code = "script_fetch_size"  // MiB allowed
	CodeScriptValueSize  Code = "script_value_size"  // MiB allowed
	CodeScriptScanSize   Code = "script_scan_size"   // MiB allowed
	CodeScriptFileSize   Code = "script_file_size"   // name, MiB allowed
	CodeScriptStuck      Code = "script_stuck"
	CodeScriptBroken     Code = "script_broken" // what the engine's panic said
	CodeScriptThrew      Code = "script_threw"  // what was thrown that is no error
	CodeScriptOff        Code = "script_off"    // plugin; cause: the last fault
	CodeScriptOffStuck   Code = "script_off_stuck"
	CodeScriptOffAnew    Code = "script_off_anew" // plugin; cause: why it cannot be made anew
	CodeScriptStopped    Code = "script_stopped"
	CodeScriptGone       Code = "script_gone"

	CodeScriptUnnamed     Code = "script_fetch_unnamed" // host that the manifest does not name
	CodeScriptFetchAlone  Code = "script_fetch_alone"   // host that a plugin of one file cannot name
	CodeScriptUngranted   Code = "script_fetch_grant"   // host that was not granted, plugin
	CodeScriptLocal       Code = "script_fetch_local"   // address of the machine or its network
	CodeScriptAddress     Code = "script_fetch_address" // what is no address
	CodeScriptFetchLate   Code = "script_fetch_late"    // duration allowed
	CodeScriptFileAlone   Code = "script_file_alone"    // name of a file
	CodeScriptFileOutside Code = "script_file_outside"  // name of a file, error
	CodeScriptFileGrant   Code = "script_file_grant"    // file of the machine, plugin
)

// The codes of why a script's tests do not run, or a script is not installed.
const (
	CodeScriptTestWaits    Code = "script_test_waits"
	CodeScriptTestsOpen    Code = "script_tests_open" // the file of tests does not end
	CodeScriptTestOpen     Code = "script_test_open"  // name of a test that does not end
	CodeScriptTestHandler  Code = "script_test_handler"
	CodeScriptPackFile     Code = "script_pack_file" // source
	CodeScriptPackSize     Code = "script_pack_size" // source, MiB allowed
	CodeScriptPackMany     Code = "script_pack_many" // source, files allowed
	CodeScriptPackBroken   Code = "script_pack_broken"
	CodeScriptPackOut      Code = "script_pack_out"    // entry of an archive
	CodeScriptPackFetch    Code = "script_pack_fetch"  // source, the server's words or an error
	CodeScriptPackName     Code = "script_pack_name"   // name
	CodeScriptPackExists   Code = "script_pack_exists" // id
	CodeScriptPackInTheWay Code = "script_pack_in_the_way"
)
