// Package importer finds an installation of NapCat that something else made, and
// copies what ncatd needs of it: the accounts, their login tickets, the OneBot
// adapters with their tokens and ports, the WebUI's settings and the plugins.
//
// [Find] reads and changes nothing; it returns a [Plan]. [Plan.Apply] copies into
// a home that has no accounts yet and touches nothing of the source. Known are
// the layouts of the shell installer, of Docker and compose files, the AppImage,
// NapCat-Desktop, NcatBot, go-cqhttp and a bare NapCat.Shell folder (contract
// A.4 to A.9). It starts and stops no processes and asks no questions.
package importer
