// Package output is the grammar of what QQ with NapCat in it prints (contract
// A.11, D.2 to D.4, K): [Parser] turns lines into facts. It knows no process.
package output
