// Reads YAML documents and writes what kubectl makes of each, so that our own reader can be held to it.
//
// Input: one JSON array of strings on stdin, each the text of one document. Output: one JSON object a line,
// {"json": …} with the document as sigs.k8s.io/yaml converts it, or {"error": "…"}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

type answer struct {
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	var documents []string
	if err := json.NewDecoder(os.Stdin).Decode(&documents); err != nil {
		fmt.Fprintln(os.Stderr, "stdin is not a JSON array of strings:", err)
		os.Exit(2)
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, document := range documents {
		var out answer
		converted, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			out.Error = err.Error()
		} else {
			out.JSON = converted
		}
		if err := encoder.Encode(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
